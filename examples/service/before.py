"""Notes, encrypted in a database: secrets in environment variables."""

from __future__ import annotations

import os
from contextlib import closing

import jwt
from cryptography.fernet import Fernet
from flask import Flask, abort, request
from pg8000.dbapi import connect


app = Flask(__name__)
jwt_key = os.environ["APP_JWT_KEY"]
fernet = Fernet(os.environ["APP_ENCRYPTION_KEY"])


def database():
    return connect(
        "app",
        password=os.environ["APP_DB_PASSWORD"],
        unix_sock=os.environ["APP_DB_SOCKET"],
        database="postgres",
    )


def user():
    token = request.headers.get("Authorization", "").removeprefix("Bearer ")
    try:
        return jwt.decode(token, jwt_key, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError:
        abort(401)


@app.post("/token")
def token():
    claims = {"sub": request.json["user"]}
    return {"token": jwt.encode(claims, jwt_key, algorithm="HS256")}


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
