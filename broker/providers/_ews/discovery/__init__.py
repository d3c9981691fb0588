"""Finding a mailbox's EWS endpoint from its mail address: Autodiscover, in all its forms.

https://learn.microsoft.com/exchange/client-developer/exchange-web-services/autodiscover-for-exchange
"""
