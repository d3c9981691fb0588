"""Exchange Web Services, spoken thinly: one module per operation.

https://learn.microsoft.com/exchange/client-developer/web-service-reference/
"""
