"""Facts first: what status, verify and check tell; every rendering is made of these."""
