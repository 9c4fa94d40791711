"""The HTTP door: decode, call one function, encode."""
