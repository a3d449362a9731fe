"""boyoAI: the primary dialect, at the root."""

from fastapi import APIRouter

from serve_app.dialects.boyo import admin, auth, chat, health, keys
from serve_app.dialects.boyo.wire import render_error
from serve_app.web.dialect import Dialect

router = APIRouter()
for feature in (auth, health, chat, keys, admin):
    router.include_router(feature.router)

# At the root: whatever no other dialect's prefix claims.
DIALECT = Dialect("boyo", router, owns=lambda _: True, render_error=render_error)
