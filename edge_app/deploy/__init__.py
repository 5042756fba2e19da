"""What a site needs to run the server for good: a systemd unit, or an image and a compose file."""
