"""Autodiscover of the sandbox's Exchange, in all three forms."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from requests_ntlm import HttpNtlmAuth

from sandbox.exchange.accounts import DOMAIN
from sandbox.exchange.seed import ADA, GRACE
from tests.sandbox.exchange_client import Company, basic, texts

POX = (
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/'
    'requestschema/2006"><Request><EMailAddress>{}</EMailAddress><AcceptableResponseSchema>'
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)
SVC = (
    '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:a="http://schemas.microsoft.com/exchange/2010/Autodiscover">'
    "<soap:Body><a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User>"
    "<a:Mailbox>{}</a:Mailbox></a:User></a:Users><a:RequestedSettings>"
    "<a:Setting>ExternalEwsUrl</a:Setting><a:Setting>InternalEwsUrl</a:Setting>"
    "<a:Setting>CasVersion</a:Setting><a:Setting>Nonsense</a:Setting></a:RequestedSettings>"
    "</a:Request></a:GetUserSettingsRequestMessage></soap:Body></soap:Envelope>"
)
AUTODISCOVER, MAIL = f"autodiscover.{DOMAIN}", f"mail.{DOMAIN}"
EXTERNAL = f"https://{MAIL}/EWS/Exchange.asmx"
INTERNAL = "https://mbx1.corp.local/EWS/Exchange.asmx"


def send(
    corp: Company,
    kind: str,
    body: str = "",
    *,
    host: str = AUTODISCOVER,
    signed_in: bool = True,
    query: str = "",
    tls: bool = True,
) -> requests.Response:
    port = corp.listening.server.port if tls else corp.listening.plain.port
    url = f"http{'s' if tls else ''}://127.0.0.1:{port}/Autodiscover/Autodiscover.{kind}{query}"
    headers = {"Host": host, **(basic("CORP\\ada", "sandbox") if signed_in else {})}
    with corp.session() as own:
        method = "POST" if body else "GET"
        return own.request(
            method, url, data=body, headers=headers, allow_redirects=False, timeout=10
        )


def pox(corp: Company, address: str = ADA, **more: Any) -> requests.Response:
    return send(corp, "xml", POX.format(address), **more)


def svc(corp: Company, address: str = ADA, **more: Any) -> requests.Response:
    return send(corp, "svc", SVC.format(address), **more)


def v2(corp: Company, address: str = ADA, protocol: str = "EWS", **more: Any) -> requests.Response:
    query = f"?Email={address}&Protocol={protocol}"
    return send(corp, "json", query=query, signed_in=False, **more)


def test_probe_shows_that_it_is_exchange(corp: Company) -> None:
    answer = pox(corp, signed_in=False)

    assert 401 == answer.status_code
    assert {"X-SOAP-Enabled", "X-FEServer"} <= set(answer.headers)
    assert 'Basic realm="autodiscover.corp.calbroker.test"' in answer.headers["WWW-Authenticate"]


def test_pox_tells_internal_and_external_addresses(corp: Company) -> None:
    answer = pox(corp)

    assert ["EXCH", "EXPR", "WEB"] == texts(answer, "Type")
    assert [INTERNAL, EXTERNAL] == texts(answer, "EwsUrl") == texts(answer, "ASUrl")
    assert [ADA] == texts(answer, "AutoDiscoverSMTPAddress")
    # 15.2 build 2562, by the layout of ServerVersion in Autodiscover's answers.
    assert [f"{0x70000000 | 15 << 22 | 2 << 16 | 0x8000 | 2562:08X}"] == texts(
        answer, "ServerVersion"
    )


def test_who_comes_by_loopback_stays_there(corp: Company) -> None:
    host = f"127.0.0.1:{corp.listening.server.port}"

    assert corp.url == texts(pox(corp, host=host), "EwsUrl")[1]
    assert corp.url == json.loads(v2(corp, host=host).content)["Url"]


def test_get_shows_a_real_server(corp: Company) -> None:
    assert ["600"] == texts(send(corp, "xml"), "ErrorCode")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (POX.format("nobody@corp.calbroker.test"), "500"),
        (POX.format(ADA).replace("2006a", "2010"), "601"),
        ("<a/>", "600"),
        ("<a", "600"),
    ],
)
def test_pox_refuses_with_200(corp: Company, body: str, code: str) -> None:
    answer = send(corp, "xml", body)

    assert (200, [code]) == (answer.status_code, texts(answer, "ErrorCode"))


def test_soap_tells_settings_and_which_are_not_there(corp: Company) -> None:
    answer = svc(corp)

    assert ["ExternalEwsUrl", "InternalEwsUrl", "CasVersion"] == texts(answer, "Name")
    assert [EXTERNAL, INTERNAL, "15.02.2562.017"] == texts(answer, "Value")
    assert ["Nonsense"] == texts(answer, "SettingName")


@pytest.mark.parametrize(
    ("style", "code"),
    [
        ("500", "InvalidUser"),
        ("address", "RedirectAddress"),
        ("cloud", "RedirectAddress"),
        ("url", "RedirectUrl"),
        ("600", "InvalidRequest"),
        ("603", "InternalServerError"),
        ("busy", "ServerBusy"),
    ],
)
def test_soap_errors(corp: Company, style: str, code: str) -> None:
    corp.faults.set(None, "autodiscover", style=style)

    assert code in texts(svc(corp), "ErrorCode")


@pytest.mark.parametrize(
    ("style", "name", "target"),
    [
        ("address", "RedirectAddr", f"ada.lovelace@{DOMAIN}"),
        ("cloud", "RedirectAddr", "ada@corp.mail.onmicrosoft.com"),
        ("url", "RedirectUrl", f"https://{MAIL}/Autodiscover/Autodiscover.xml?moved=1"),
        ("loop", "RedirectUrl", f"https://{AUTODISCOVER}/Autodiscover/Autodiscover.xml"),
        ("http", "RedirectUrl", f"http://{MAIL}/Autodiscover/Autodiscover.xml"),
        (
            "outsider",
            "RedirectUrl",
            "https://autodiscover.outsider.test/Autodiscover/Autodiscover.xml",
        ),
        ("private", "RedirectUrl", "https://10.20.30.40/Autodiscover/Autodiscover.xml"),
    ],
)
def test_redirects(corp: Company, style: str, name: str, target: str) -> None:
    corp.faults.set(None, "autodiscover", style=style)

    assert [target] == texts(pox(corp), name)


def test_redirects_lead_somewhere(corp: Company) -> None:
    corp.faults.set(None, "autodiscover", style="url")
    assert [INTERNAL, EXTERNAL] == texts(pox(corp, host=MAIL), "EwsUrl")

    corp.faults.set(None, "autodiscover", style="address")
    assert [INTERNAL, EXTERNAL] == texts(pox(corp, f"ada.lovelace@{DOMAIN}"), "EwsUrl")


@pytest.mark.parametrize(
    ("style", "urls"),
    [
        ("internal_only", [INTERNAL]),
        ("ews_http", [INTERNAL, EXTERNAL.replace("https", "http")]),
        ("ews_outsider", [INTERNAL, "https://mail.outsider.test/EWS/Exchange.asmx"]),
        ("ews_private", [INTERNAL, "https://10.20.30.40/EWS/Exchange.asmx"]),
    ],
)
def test_addresses_that_lead_astray(corp: Company, style: str, urls: list[str]) -> None:
    corp.faults.set(None, "autodiscover", style=style)

    assert urls == texts(pox(corp), "EwsUrl")


@pytest.mark.parametrize(
    ("style", "status"),
    [("", 404), ("basic_site", 401), ("www", 301), ("html", 200)],
)
def test_root_domain_is_a_web_site(corp: Company, style: str, status: int) -> None:
    if style:
        corp.faults.set(None, "autodiscover", style=style)
    answer = pox(corp, host=DOMAIN)

    assert status == answer.status_code and "X-FEServer" not in answer.headers


@pytest.mark.parametrize(("style", "status"), [("missing", 404), ("html", 200), ("401", 401)])
def test_autodiscover_that_is_not_there(corp: Company, style: str, status: int) -> None:
    corp.faults.set(None, "autodiscover", style=style)

    assert status == pox(corp).status_code


def test_plain_port_redirects_to_tls_and_nothing_else(corp: Company) -> None:
    answer = pox(corp, tls=False)

    assert 302 == answer.status_code
    assert f"https://{AUTODISCOVER}/autodiscover/autodiscover.xml" == answer.headers["Location"]

    corp.faults.set(None, "autodiscover", style="http_redirect")

    assert 404 == pox(corp).status_code
    assert MAIL in pox(corp, tls=False).headers["Location"]
    assert [INTERNAL, EXTERNAL] == texts(pox(corp, host=MAIL), "EwsUrl")


def test_ews_is_never_spoken_without_tls(corp: Company) -> None:
    url = corp.url.replace("https", "http").replace(
        str(corp.listening.server.port), str(corp.listening.plain.port)
    )

    assert 403 == requests.post(url, b"x", timeout=5).status_code


def test_json_asks_for_no_password(corp: Company) -> None:
    answer = v2(corp, GRACE)

    assert {"Protocol": "EWS", "Url": EXTERNAL} == answer.json()


@pytest.mark.parametrize(
    ("address", "protocol", "status", "code"),
    [
        (ADA, "XYZ", 400, "ProtocolNotSupported"),
        (ADA, "", 400, "MandatoryParameterMissing"),
        ("nobody@corp.calbroker.test", "Ews", 404, "UserNotFound"),
    ],
)
def test_json_errors(corp: Company, address: str, protocol: str, status: int, code: str) -> None:
    answer = v2(corp, address, protocol)

    assert (status, code) == (answer.status_code, answer.json()["ErrorCode"])


def test_old_versions_have_fewer_forms(corp: Company) -> None:
    corp.faults.set(None, "version", style="Exchange2007_SP1")

    assert [INTERNAL, EXTERNAL] == texts(pox(corp), "EwsUrl")
    assert (404, 401) == (svc(corp).status_code, v2(corp).status_code)


def test_ntlm_works_here_too(corp: Company) -> None:
    url = f"https://127.0.0.1:{corp.listening.server.port}/autodiscover/autodiscover.xml"
    with corp.session() as own:
        own.auth = HttpNtlmAuth("CORP\\ada", "sandbox")
        answer = own.post(url, POX.format(ADA), headers={"Host": AUTODISCOVER}, timeout=10)

    assert [INTERNAL, EXTERNAL] == texts(answer, "EwsUrl")
