"""Mail: typed messages, sent after the commit, by SMTP or into a console, a folder or a list.

```python
from demijohn import App
from demijohn.mail import Mail, Message

app = App()
mail = app.use(Mail("memory:"))


@app.post("/invite")
async def invite(email: str):
    await mail.send(Message(to=email, subject="Come in", text="There is a place for you."))
    return {"invited": email}
```
"""

from demijohn.mail.battery import Mail
from demijohn.mail.console import Console
from demijohn.mail.failures import InvalidMessage, MailUnavailable
from demijohn.mail.folder import MailFolder
from demijohn.mail.mailbox import Mailbox
from demijohn.mail.message import Attachment, Message
from demijohn.mail.protocols import MailBackend
from demijohn.mail.smtp import SMTP

__all__ = [
    "SMTP",
    "Attachment",
    "Console",
    "InvalidMessage",
    "Mail",
    "MailBackend",
    "MailFolder",
    "MailUnavailable",
    "Mailbox",
    "Message",
]
