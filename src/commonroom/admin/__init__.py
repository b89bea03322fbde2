"""What operators do, one typed function each; commands, and later pages, are skins over it."""
