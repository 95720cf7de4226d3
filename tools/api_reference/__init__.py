"""What tools/reference makes the pages of the API reference with."""
