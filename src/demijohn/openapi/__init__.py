"""An app described to programs: an OpenAPI 3.1 document, and a page to read and to try it.

```python
from demijohn import App
from demijohn.openapi import OpenAPI

app = App()
app.use(OpenAPI(title="Shop"))  # /openapi.json, /openapi.yaml, /docs
```
"""

from demijohn.openapi.battery import OpenAPI
from demijohn.openapi.describing import describe

__all__ = ["OpenAPI", "describe"]
