"""The app: what declares, binds, dispatches and ends requests."""

from demijohn.app.application import App
from demijohn.app.binders import Binder, Binders
from demijohn.app.calls import UnitCall
from demijohn.app.checks import CheckMessage, Checks
from demijohn.app.context import Current, Unit, current, wait
from demijohn.app.encoding import Encoder, WrongReturn
from demijohn.app.formats import Format, Formats, is_partial
from demijohn.app.messages import flash, get_flashed_messages
from demijohn.app.offloading import run_in_process, run_in_thread
from demijohn.app.operations import Operation, operations_of
from demijohn.app.page import Htmx, Page
from demijohn.app.parameters import (
    Body,
    Cookie,
    Depends,
    Fields,
    File,
    Form,
    HandlerParameter,
    Header,
    Input,
    Marker,
    Path,
    Query,
)
from demijohn.app.registries import BeforeSend, Driver
from demijohn.app.scaffold import Blueprint, RouteOptions, Scaffold
from demijohn.app.services import Services, ServiceScope
from demijohn.app.settings import Secret, Settings
from demijohn.app.urls import after_response, after_this_request, url_for
from demijohn.app.views import View

__all__ = [
    "App",
    "BeforeSend",
    "Binder",
    "Binders",
    "Blueprint",
    "Body",
    "CheckMessage",
    "Checks",
    "Cookie",
    "Current",
    "Depends",
    "Driver",
    "Encoder",
    "Fields",
    "File",
    "Form",
    "Format",
    "Formats",
    "HandlerParameter",
    "Header",
    "Htmx",
    "Input",
    "Marker",
    "Operation",
    "Page",
    "Path",
    "Query",
    "RouteOptions",
    "Scaffold",
    "Secret",
    "ServiceScope",
    "Services",
    "Settings",
    "Unit",
    "UnitCall",
    "View",
    "WrongReturn",
    "after_response",
    "after_this_request",
    "current",
    "flash",
    "get_flashed_messages",
    "is_partial",
    "operations_of",
    "run_in_process",
    "run_in_thread",
    "url_for",
    "wait",
]
