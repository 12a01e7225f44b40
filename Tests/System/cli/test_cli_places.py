"""Locale and time zone are the machine's, and say nothing to a provider: the requests that
`evertoken check NAME --show-request` prints are the same everywhere, and so is the end that the
daemon reads in an answer.

The locales are made for the test: Turkish, whose upper case of i is not I; German, whose decimal
point is a comma; Japanese, whose names of days are not even letters of ours. The zones are not
whole hours from UTC."""

import datetime
import json
import os
import re
import subprocess
import time

from evertest.basics import at_end, temporary_directory
from evertest.profiles.shown_cases import ShownCase, of_each
from evertest.profiles.shown_requests import NAMES, parts_of, still
from evertest.programs import PLAIN_ENVIRONMENT, PlainDaemon, ProgramCase, token_json
from evertest.servers.raw_server import RawServer, replying
from evertest.suite import Suite

SUITE = Suite(minutes=0.3)

MADE = ("tr_TR", "de_DE", "ja_JP")
#: Every locale and every zone at least once; the first three are the three zones.
PLACES = [("C", "UTC"), ("C", "Asia/Kolkata"), ("C.UTF-8", "America/St_Johns"),
          ("tr_TR.UTF-8", "America/St_Johns"), ("tr_TR.UTF-8", "UTC"),
          ("de_DE.UTF-8", "Asia/Kolkata"), ("ja_JP.UTF-8", "America/St_Johns")]
EAST = datetime.timezone(datetime.timedelta(hours=8))


def made_locales(case):
    """A directory for LOCPATH, with the locales the machine may lack."""
    directory = temporary_directory(case)
    of_each(MADE, lambda name: subprocess.run(
        ["localedef", "-i", name, "-f", "UTF-8", str(directory / (name + ".UTF-8"))], check=True))
    return directory


class PlaceCase:
    """Environments that differ in nothing but the place."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.locales = made_locales(cls)

    def environment(self, place):
        locale, zone = place
        return {"LC_ALL": locale, "TZ": zone, "LOCPATH": str(self.locales)}


class ShownPlacesTest(PlaceCase, ShownCase):
    def test_the_places_are_what_they_are_called(self):
        """A locale or a zone that is not there would be the C locale, or UTC, without a word."""
        def tell(place, *command):
            return subprocess.run(command, env=PLAIN_ENVIRONMENT | self.environment(place),
                                  capture_output=True, text=True, check=True).stdout

        days = {place[0]: tell(place, "locale", "day").split(";")[0] for place in PLACES}
        self.assertEqual(days, {"C": "Sunday", "C.UTF-8": "Sunday", "tr_TR.UTF-8": "Pazar",
                                "de_DE.UTF-8": "Sonntag", "ja_JP.UTF-8": "日曜日"})
        hours = {place[1]: tell(place, "date", "--date=@1767323045", "+%z") for place in PLACES}
        self.assertEqual(hours, {"UTC": "+0000\n", "Asia/Kolkata": "+0530\n",
                                 "America/St_Johns": "-0330\n"})

    def test_the_requests_of_every_profile_are_the_same_everywhere(self):
        first = self.show_each(lambda key: "secret")
        for place in PLACES:
            shown = self.show_each(lambda key: "secret", environment=self.environment(place))
            for name in NAMES:
                with self.subTest(name, place=place):
                    self.assertEqual(still(shown[name]), still(first[name]))

    def test_letters_numbers_and_names_of_days_are_the_same_everywhere(self):
        provider = {"extends": "none", "request": {
            "url": "https://id.example/${lower('INDIA')}", "encoding": "json", "params": {
                "upper": "${upper(client_id)}", "lower": "${lower(client_id)}", "number": 12345.5,
                "day": "${now('EEEE d MMM yyyy h:mm a', '+08:00')}", "mark": "${random(16)}"}}}
        entry = {"provider": "p", "client_id": "IDindiaİıéß"}
        for place in PLACES:
            with self.subTest(place=place):
                earliest = time.time()
                done = self.show({"providers": {"p": provider}, "credentials": {"c": entry}},
                                 environment=self.environment(place))
                self.assert_exit(done, 0)
                part, = parts_of(done.stdout)
                self.assertEqual(part.url, "https://id.example/india")
                body = json.loads(part.body)
                self.assertIn(body.pop("day"), {day_text(earliest), day_text(time.time())})
                self.assertTrue(re.fullmatch("[A-Za-z0-9]{16}", body.pop("mark")))
                self.assertEqual(body, {
                    "upper": "IDINDIAİıéß", "lower": "idindiaİıéß", "number": 12345.5})
                self.assertIn('"number":12345.5', part.body)


def day_text(epoch):
    """Eight hours east of UTC, in English, which is what strftime speaks unless told otherwise."""
    then = datetime.datetime.fromtimestamp(epoch, EAST)
    return (f"{then:%A} {then.day} {then:%b} {then.year} "
            f"{then.hour % 12 or 12}:{then:%M} {then:%p}")


class PublishedExpiryTest(PlaceCase, ProgramCase):
    def test_a_time_with_a_zone_is_the_same_moment_everywhere(self):
        end = int(time.time()) + 86400
        body = {"access_token": "a", "refresh_token": "r",
                "ends": datetime.datetime.fromtimestamp(end, EAST).strftime("%Y-%m-%d %H:%M:%S")}
        server = RawServer(replying(200, json.dumps(body).encode())).start()
        at_end(self, server.stop)
        expires = {"from": "/ends", "as": "datetime:yyyy-MM-dd HH:mm:ss", "zone": "+08:00"}
        config = {
            "providers": {"dated": {"request": {"url": f"http://127.0.0.1:{server.port}/token"},
                                    "response": {"expires": expires}}},
            "credentials": {"c": self.credential("c", provider="dated")}}
        for number, place in enumerate(PLACES[:3]):
            with self.subTest(place=place):
                folder = self.directory / str(number)
                folder.mkdir(mode=0o700)
                daemon = PlainDaemon(self, folder, config, self.environment(place)).start()
                daemon.wait_for("c", "fresh")
                self.assertAlmostEqual(token_json(daemon, "c")["expires_at"], end, delta=1)
                self.assertEqual(daemon.terminate(), os.EX_OK)
