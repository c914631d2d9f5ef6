"""CalDAV and CardDAV servers of our own, and what runs against them."""
