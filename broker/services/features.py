"""What an application may use beyond what every application may.

An operator turns features on; a call that asks for one that is off is refused (402), as
Cronofy's API does where a plan lacks it.
"""

from __future__ import annotations

from broker.errors import BrokerError
from broker.models import Application, reading

GEO = "geo"
"""`include_geo`: where events take place, as latitude and longitude."""

KNOWN = (GEO,)


class FeatureOff(BrokerError):
    """The application lacks *feature*."""

    def __init__(self, feature: str) -> None:
        super().__init__(f"the application lacks the feature {feature}")
        self.feature = feature


def require(application_id: str, feature: str) -> None:
    """Raise FeatureOff unless an application has a feature."""
    application = reading().get_one(Application, application_id)
    if feature not in of(application):
        raise FeatureOff(feature)


def of(application: Application) -> list[str]:
    """List the features that an application has."""
    return [name for name in KNOWN if application.features.get(name)]
