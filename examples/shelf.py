"""A shelf of books, with its admin and its login: thirty lines, for the first day."""

from demijohn import App, html
from demijohn.admin import Admin
from demijohn.auth import Auth
from demijohn.auth import User as BaseUser
from demijohn.db import Database, Mapped, Model, column

app = App()
db = app.use(Database("sqlite:///shelf.db"))


class User(BaseUser):
    pass


class Book(Model):
    title: Mapped[str] = column(max_length=200)
    read: Mapped[bool] = column(default=False, label="Read already")


app.use(Auth(User))
app.use(Admin())


@app.get("/")
async def shelf(user: User | None):
    books = html("").join([html("<li>{}</li>", book.title) for book in await Book.query().all()])
    return html("<h1>{}</h1><ul>{}</ul>", f"The shelf of {user}" if user else "A shelf", books)
