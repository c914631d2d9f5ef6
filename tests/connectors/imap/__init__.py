"""Tests of the IMAP connector: pure parts, a scripted server, and Dovecot."""
