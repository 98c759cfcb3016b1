"""The ten systems that the paper compares with, a module each; ``registry`` names them."""
