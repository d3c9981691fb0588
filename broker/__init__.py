"""Calbroker, a calendar-connection broker.

Layers; imports point down only, and tests/test_layers.py says so:

    web  jobs  cli  local           edges: parse input, call one service, render or return
          |
      services                      use cases: transactions, who may do what, what follows
       |         |          |
    sync   oauth_server  providers  planning; OUR tokens; THEIR APIs
          |         |
         models                     tables (providers never import models)
          |
    core: settings errors domain logins clock ids crypto http ...   one module each
"""
