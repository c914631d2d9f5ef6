"""Side-by-side benchmark of xdmigrate and its peers on throw-away Dovecot servers: `python -m bench`."""
