"""The protocol without input or output: bytes in, bytes out; time and randomness are arguments."""
