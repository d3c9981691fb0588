"""Stand-ins for the outside world that run on this machine; `broker/` never imports them."""
