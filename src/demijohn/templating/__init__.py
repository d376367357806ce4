"""Templates: Jinja2 with fragments, typed components and errors that name the line."""

from demijohn.templating.attributes import Attributes
from demijohn.templating.battery import Templates, render_template, render_template_string, stream_template
from demijohn.templating.components import Component, ComponentMistake, ScopedSlot, Slot, component
from demijohn.templating.environment import Environment
from demijohn.templating.failures import (
    AwaitableInTemplate,
    BlockNotFound,
    ComponentError,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
    UndefinedError,
)
from demijohn.templating.folders import Folder, Folders
from demijohn.templating.undefined import Undefined

__all__ = [
    "Attributes",
    "AwaitableInTemplate",
    "BlockNotFound",
    "Component",
    "ComponentError",
    "ComponentMistake",
    "Environment",
    "Folder",
    "Folders",
    "ScopedSlot",
    "Slot",
    "TemplateError",
    "TemplateNotFound",
    "TemplateSyntaxError",
    "Templates",
    "Undefined",
    "UndefinedError",
    "component",
    "render_template",
    "render_template_string",
    "stream_template",
]
