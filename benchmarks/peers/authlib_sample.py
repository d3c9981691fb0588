"""An authorization server after Authlib's documentation, with its SQLAlchemy mixins.

See Authlib, "Flask OAuth 2.0 Server": the refresh grant of the documented example, which
replaces the refresh token each time.
"""

from __future__ import annotations

import os
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_query_client_func,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from flask import Flask
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()


class User(db.Model):
    id = db.Column(db.Integer, primary_key=True)

    def get_user_id(self) -> Any:
        return self.id


class OAuth2Client(db.Model, OAuth2ClientMixin):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("user.id"))
    user = db.relationship("User")


class OAuth2Token(db.Model, OAuth2TokenMixin):
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.Integer, db.ForeignKey("user.id"))
    user = db.relationship("User")


class RefreshTokenGrant(grants.RefreshTokenGrant):
    INCLUDE_NEW_REFRESH_TOKEN = True
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]

    def authenticate_refresh_token(self, refresh_token: str) -> Any:
        token = OAuth2Token.query.filter_by(refresh_token=refresh_token).first()
        return token if token and not token.is_revoked() else None

    def authenticate_user(self, credential: Any) -> Any:
        return db.session.get(User, credential.user_id)

    def revoke_old_credential(self, credential: Any) -> None:
        credential.refresh_token_revoked_at = int(time.time())
        db.session.add(credential)
        db.session.commit()


def create_app() -> Flask:
    """Make the sample with one client and one token in it."""
    app = Flask(__name__)
    app.config.update(
        SQLALCHEMY_DATABASE_URI=os.environ["SAMPLE_DATABASE_URL"],
        OAUTH2_REFRESH_TOKEN_GENERATOR=True,
    )
    db.init_app(app)
    server = AuthorizationServer(
        app,
        query_client=create_query_client_func(db.session, OAuth2Client),
        save_token=create_save_token_func(db.session, OAuth2Token),
    )
    server.register_grant(RefreshTokenGrant)
    with app.app_context():
        db.create_all()
        _fill()
    app.add_url_rule(
        "/oauth/token", "token", lambda: server.create_token_response(), methods=["POST"]
    )
    return app


def _fill() -> None:
    user = User(id=1)
    client = OAuth2Client(user_id=1, client_id="sample", client_secret="secret")
    client.set_client_metadata(
        {
            "grant_types": ["refresh_token"],
            "token_endpoint_auth_method": "client_secret_post",
            "scope": "profile",
        }
    )
    token = OAuth2Token(
        user_id=1,
        client_id="sample",
        token_type="Bearer",
        scope="profile",
        access_token="first-access",
        refresh_token="first-refresh",
        issued_at=int(time.time()),
        expires_in=3600,
    )
    db.session.add_all([user, client])
    db.session.commit()
    db.session.add(token)
    db.session.commit()
