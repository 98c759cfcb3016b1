"""What MMGAT is compared with."""
