"""A canary: an event of ours to an address of our own, which tells whether a server can be kept from inviting."""
