"""HTTP/1.1 at the edge: a small server on h11, for those who bring a handler."""
