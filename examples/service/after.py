"""Notes, encrypted in a database: secrets in secret memory."""

from __future__ import annotations

from contextlib import closing

import jwt
from flask import Flask, abort, request
from pydantic_settings import BaseSettings, SettingsConfigDict

from secretmem import Secret
from secretmem.contrib import pyjwt
from secretmem.contrib.pg8000 import connect
from secretmem.contrib.pydantic_settings import SecretsSource
from secretmem.fernet import Fernet


class Settings(BaseSettings):
    """Where the service is told what it needs."""

    model_config = SettingsConfigDict(env_prefix="APP_")

    db_socket: str
    db_password: Secret
    jwt_key: Secret
    encryption_key: Secret

    @classmethod
    def settings_customise_sources(cls, settings_cls, **others):
        """Read the secrets where they lie."""
        places = ("credential:{name}?strip", "file:secrets/{name}?strip")
        return SecretsSource(settings_cls, *places), *others.values()


app = Flask(__name__)
settings = Settings()
pyjwt.register()
fernet = Fernet(settings.encryption_key)


def database():
    return connect(
        "app",
        password=settings.db_password,
        unix_sock=settings.db_socket,
        database="postgres",
    )


def user():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        key = settings.jwt_key
        return jwt.decode(token, key, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        abort(401)


@app.post("/token")
def token():
    claims = {"sub": request.json["user"]}
    return {"token": jwt.encode(claims, settings.jwt_key, algorithm="HS256")}


@app.post("/notes")
def add():
    sealed = fernet.encrypt(request.json["text"].encode()).decode()
    with closing(database()) as db:
        cursor = db.cursor()
        cursor.execute(
            "insert into notes (owner, sealed) values (%s, %s) returning id",
            (user(), sealed),
        )
        number = cursor.fetchone()[0]
        db.commit()
    return {"id": number}, 201


@app.get("/notes/<int:number>")
def show(number):
    with closing(database()) as db:
        cursor = db.cursor()
        cursor.execute(
            "select sealed from notes where id = %s and owner = %s",
            (number, user()),
        )
        found = cursor.fetchone() or abort(404)
    return {"text": fernet.decrypt(found[0].encode()).decode()}
