"""The API with its description: how Ninja reads bodies, and what it says of answers that are problems."""

from __future__ import annotations

import json
from typing import Any, cast

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.parser import Parser

from search.api.problems import CONTENT_TYPE, Problem

_JSON = "application/json"


class JsonOnly(Parser):
    """Reads bodies that say they are JSON. What else is sent could come from a form on anybody's page."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type != _JSON:
            raise Problem(415, "unsupported_media_type", "Send JSON (Content-Type: application/json).")
        try:
            return cast("dict[str, Any]", json.loads(request.body))
        except RecursionError as error:
            raise Problem(400, "bad_request", "The body is nested too deeply.") from error
        except ValueError as error:
            raise Problem(400, "bad_request", f"The body is no JSON: {error}.") from error


class DescribedAPI(NinjaAPI):
    """Describes problems by the type that they are sent with."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        schema = super().get_openapi_schema(**options)
        for operations in schema["paths"].values():
            for operation in operations.values():
                for status, answer in operation["responses"].items():
                    if int(status) >= 400 and _JSON in answer.get("content", {}):
                        answer["content"] = {CONTENT_TYPE: answer["content"][_JSON]}
        return schema
