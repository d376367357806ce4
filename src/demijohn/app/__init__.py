"""The app: what declares, binds, dispatches and ends requests."""

from demijohn.app.application import App
from demijohn.app.checks import CheckMessage, Checks
from demijohn.app.context import Current, Unit, current, wait
from demijohn.app.encoding import Encoder, WrongReturn
from demijohn.app.page import Page
from demijohn.app.registries import BeforeSend, Driver
from demijohn.app.scaffold import Blueprint, RouteOptions, Scaffold
from demijohn.app.services import Services, ServiceScope
from demijohn.app.settings import Secret, Settings
from demijohn.app.urls import after_response, after_this_request, url_for
from demijohn.app.views import View

__all__ = [
    "App",
    "BeforeSend",
    "Blueprint",
    "CheckMessage",
    "Checks",
    "Current",
    "Driver",
    "Encoder",
    "Page",
    "RouteOptions",
    "Scaffold",
    "Secret",
    "ServiceScope",
    "Services",
    "Settings",
    "Unit",
    "View",
    "WrongReturn",
    "after_response",
    "after_this_request",
    "current",
    "url_for",
    "wait",
]
