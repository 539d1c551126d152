"""Reading and doing for the gateway, one module an area; only `database_gateway` calls these."""
