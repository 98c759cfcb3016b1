"""What turns a spectrogram into an embedding; ``registry`` has all of them."""
