"""The API's description in OpenAPI 3.1, and the pages that show it."""
