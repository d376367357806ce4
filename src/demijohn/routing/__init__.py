"""From a path to the function that answers it, and back."""

from demijohn.routing.converters import Converter
from demijohn.routing.entries import PathEntry, PathGroup, flatten, include, path
from demijohn.routing.pattern import Parameter, Pattern, parse_path
from demijohn.routing.reverse import URLBuildError
from demijohn.routing.route import ANY, WEBSOCKET, Route, SlashPolicy
from demijohn.routing.router import ConverterResolver, Match, Router

__all__ = [
    "ANY",
    "WEBSOCKET",
    "Converter",
    "ConverterResolver",
    "Match",
    "Parameter",
    "PathEntry",
    "PathGroup",
    "Pattern",
    "Route",
    "Router",
    "SlashPolicy",
    "URLBuildError",
    "flatten",
    "include",
    "parse_path",
    "path",
]
