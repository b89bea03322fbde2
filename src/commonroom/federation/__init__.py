"""Other servers: where they are, who they are, and what waits to be sent to them."""
