"""Forms from the fields of classes and models: shown, read, checked, saved.

```python
from dataclasses import dataclass
from typing import Annotated

from demijohn import App, Page, redirect
from demijohn.forms import Form
from demijohn.schema import Field

app = App()


@dataclass
class Contact:
    email: Annotated[str, Field(format="email", help="We answer there.")]
    message: Annotated[str, Field(format="textarea", max_length=2000)]


@app.route("/contact", methods=["GET", "POST"])
async def contact(form: Form[Contact]):
    if form.is_valid:
        print(form.data.message)
        return redirect("/")
    return Page("contact.html", form=form)
```
"""

from demijohn.forms.battery import Forms, receive
from demijohn.forms.faults import FormError, FormMistake
from demijohn.forms.fields import BoundField, FormField
from demijohn.forms.form import BaseForm, Form
from demijohn.forms.formrows import FormRows
from demijohn.forms.modelform import ModelForm
from demijohn.forms.plans import FormPlan
from demijohn.forms.rows import Rows
from demijohn.forms.views import ModelViews
from demijohn.forms.widgets import (
    CheckBox,
    CheckBoxes,
    DateInput,
    DateTimeInput,
    FileInput,
    Hidden,
    MultiSelect,
    NumberInput,
    Option,
    PasswordInput,
    Radios,
    RelationBoxes,
    RelationSelect,
    Select,
    TextArea,
    TextInput,
    TextList,
    TimeInput,
    Widget,
)

__all__ = [
    "BaseForm",
    "BoundField",
    "CheckBox",
    "CheckBoxes",
    "DateInput",
    "DateTimeInput",
    "FileInput",
    "Form",
    "FormError",
    "FormField",
    "FormMistake",
    "FormPlan",
    "FormRows",
    "Forms",
    "Hidden",
    "ModelForm",
    "ModelViews",
    "MultiSelect",
    "NumberInput",
    "Option",
    "PasswordInput",
    "Radios",
    "RelationBoxes",
    "RelationSelect",
    "Rows",
    "Select",
    "TextArea",
    "TextInput",
    "TextList",
    "TimeInput",
    "Widget",
    "receive",
]
