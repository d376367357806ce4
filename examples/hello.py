"""The smallest app: `demijohn run hello.py`."""

from demijohn import App

app = App()


@app.get("/")
def home():
    return "Hello, World!"


@app.get("/hello/{name}")
async def hello(name: str, shout: bool = False):
    return {"hello": name.upper() if shout else name}
