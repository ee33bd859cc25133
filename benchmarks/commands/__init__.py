"""What commands cost before they work: imports, stores, servers."""
