#!/usr/bin/env bash
# django-oauth-toolkit.sh - real OAuth2/OIDC authorization server (django-oauth-toolkit 3.4.1 on oauthlib 3.3, Django 5.2, gunicorn) on 127.0.0.1
#
# usage: django-oauth-toolkit.sh install                 make the virtual environment (PyPI, ~10 s)
#        django-oauth-toolkit.sh start [options]         fresh databases, one gunicorn per mode, print + write DIR/as.env, DIR/as.json
#        django-oauth-toolkit.sh stop  [--dir DIR]       stop what `start` left in DIR (by pid)
#        django-oauth-toolkit.sh login [--dir DIR] [--mode rotate] [--client web]      token response by authorization code + PKCE, scripted login
#        django-oauth-toolkit.sh approve USER_CODE [--dir DIR] [--mode rotate]         the user approves a device code
#        django-oauth-toolkit.sh check [--dir DIR]       client_credentials, PKCE, rotation + reuse, static, grace, device; exit 0 when all hold
# options: --dir DIR  (/tmp/evertoken-test/dot)     --port N  first port (8710; mode i listens on N+i)
#          --modes LIST   of rotate,static,grace      (default: all three)
#          --access-ttl S access token lifetime (5)            --grace S of mode grace (10)
#          --hash-secrets keep client secrets hashed (Django's PBKDF2, the package's default): ~0.2-0.4 s CPU per token request
# modes:   rotate    new refresh token each time; an old one -> 400 invalid_grant AND the whole family is revoked
#          static    the same refresh token comes back in every answer
#          grace     rotates; an old token still gets the SAME new pair again for GRACE seconds (a lost answer can be retried)
# Refresh tokens never expire by time here: REFRESH_TOKEN_EXPIRE_SECONDS is read by `manage.py cleartokens` only (seen: still good after it).
#   Use glewlwyd.sh's `expiring` for that, or revoke: curl -u web:s3cret-web -d token=RT BASE/revoke_token/
# clients (one grant type each, as this server wants it): cc (client_credentials) web (code+PKCE, refresh) pub (public, code+PKCE)
#          dev (public, device code) pw (password).  Secrets in as.env.  user: alice / alice-password
# oauthlib is held below 4: with 4.0.1 the device endpoint answers 500 (DeviceCodeResponse gets an unexpected 'scope').
# Client authentication: client_secret_basic and client_secret_post only.  Needs Debian 12 and root (for apt); installs what it lacks.
# DOT_VENV: the virtual environment (/tmp/evertoken-test/dot-venv), kept from run to run
set -euo pipefail
case "${1:-}" in ''|-h|--help) sed -n '2,/^set -euo/p' "$0" | sed '/^set/d;s/^# \{0,1\}//'; exit 0;; esac
cmd=$1; shift; arg=; [[ $cmd == approve ]] && { arg=$1; shift; }
DIR=/tmp/evertoken-test/dot PORT=8710 MODES=rotate,static,grace ATTL=5 GRACE=10 HASH=0 MODE=rotate CLIENT=web
while (($#)); do case $1 in --dir) DIR=$2; shift 2;; --port) PORT=$2; shift 2;; --modes) MODES=$2; shift 2;; --access-ttl) ATTL=$2; shift 2;;
  --grace) GRACE=$2; shift 2;; --hash-secrets) HASH=1; shift;; --mode) MODE=$2; shift 2;; --client) CLIENT=$2; shift 2;;
  *) echo "unknown option $1" >&2; exit 2;; esac; done
VENV=${DOT_VENV:-/tmp/evertoken-test/dot-venv}; PY=$VENV/bin/python
APT=(apt-get -o DPkg::Lock::Timeout=300)
install() { [[ -x $VENV/bin/gunicorn && -e $VENV/ready ]] && return 0
  local need=(); for p in python3-venv curl jq openssl; do dpkg -s "$p" >/dev/null 2>&1 || need+=("$p"); done
  if ((${#need[@]})); then apt-cache show python3-venv >/dev/null 2>&1 || "${APT[@]}" update -q >&2
    DEBIAN_FRONTEND=noninteractive "${APT[@]}" install -qy --no-install-recommends "${need[@]}" >&2; fi
  /usr/bin/python3 -m venv "$VENV" && "$VENV/bin/pip" -q install 'django-oauth-toolkit==3.4.1' 'Django==5.2.*' 'oauthlib<4' gunicorn >&2 && touch "$VENV/ready"; }
stop() { local f p; for f in "$DIR"/*.pid; do [[ -s $f ]] || continue; p=$(<"$f")
  if [[ -r /proc/$p/cmdline ]] && tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "dotas.wsgi"; then kill -INT "$p"; for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep .05; done; fi; rm -f "$f"; done
  for p in $(sed -n 's/^TOKEN_.*127.0.0.1:\([0-9]*\).*/\1/p' "$DIR/as.env" 2>/dev/null); do rm -f "/dev/shm/dot-$p.db" "/dev/shm/dot-$p.db-wal" "/dev/shm/dot-$p.db-shm"; done; }
C() { curl -sS --noproxy '*' --max-time 10 "$@"; }
up() { tr '[:lower:]' '[:upper:]' <<<"$1"; }
base() { local v; v=BASE_$(up "$MODE"); echo "${!v}"; }
start() {
  install; stop; mkdir -p "$DIR/dotas"; DIR=$(cd "$DIR" && pwd); cd "$DIR"; : >dotas/__init__.py
  [[ -s oidc.key ]] || openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out oidc.key 2>/dev/null
  cat >dotas/settings.py <<'P'
import os
E = os.environ.get
MODE = E("DOT_MODE", "rotate")
SECRET_KEY = "test-only"; DEBUG = False; ALLOWED_HOSTS = ["127.0.0.1", "localhost"]; USE_TZ = True; ROOT_URLCONF = "dotas.urls"
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": E("DOT_DB"), "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;", "transaction_mode": "IMMEDIATE", "timeout": 10}, "CONN_MAX_AGE": None}}
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "django.contrib.messages", "oauth2_provider"]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "django.contrib.auth.middleware.AuthenticationMiddleware", "django.contrib.messages.middleware.MessageMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "DIRS": [os.path.dirname(__file__)], "OPTIONS": {"context_processors": ["django.template.context_processors.request", "django.contrib.auth.context_processors.auth", "django.contrib.messages.context_processors.messages"]}}]
LOGIN_URL = "/accounts/login/"; STATIC_URL = "/static/"; DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if E("DOT_HASH") != "1": PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
OAUTH2_PROVIDER = {
    "ACCESS_TOKEN_EXPIRE_SECONDS": int(E("DOT_ATTL", "5")), "ID_TOKEN_EXPIRE_SECONDS": 300, "PKCE_REQUIRED": True,
    "ROTATE_REFRESH_TOKEN": MODE in ("rotate", "grace"),
    "REFRESH_TOKEN_REUSE_PROTECTION": MODE == "rotate",
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": int(E("DOT_GRACE", "10")) if MODE == "grace" else 0,
    "SCOPES": {"openid": "id", "svc": "service", "svc2": "service 2"}, "DEFAULT_SCOPES": ["svc"],
    "OIDC_ENABLED": True, "OIDC_RSA_PRIVATE_KEY": open(os.path.join(os.path.dirname(os.path.dirname(__file__)), "oidc.key")).read(),
    "OAUTH_DEVICE_VERIFICATION_URI": E("DOT_BASE", "") + "/o/device", "DEVICE_FLOW_INTERVAL": 1, "ALLOWED_REDIRECT_URI_SCHEMES": ["http", "https"],
}
P
  mkdir -p dotas/registration; echo '<form method=post>{% csrf_token %}{{ form }}<input type=hidden name=next value="{{ next }}"><button>go</button></form>' >dotas/registration/login.html
  cat >dotas/urls.py <<'P'
from django.contrib.auth.views import LoginView
from django.urls import include, path
urlpatterns = [path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")), path("accounts/login/", LoginView.as_view())]
P
  cat >dotas/wsgi.py <<'P'
import os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dotas.settings")
from django.core.wsgi import get_wsgi_application
application = get_wsgi_application()
P
  export PYTHONPATH=$DIR DJANGO_SETTINGS_MODULE=dotas.settings DOT_ATTL=$ATTL DOT_GRACE=$GRACE DOT_HASH=$HASH PYTHONWARNINGS=ignore
  local shm=$DIR; [[ -w /dev/shm ]] && shm=/dev/shm; local tpl=$DIR/template-$HASH.db   # migrations take 2 s: done once per DIR
  [[ -s $tpl ]] || DOT_DB=$tpl.new "$PY" - <<'P'
import django, os; django.setup()
from django.core.management import call_command
from django.contrib.auth.models import User
from oauth2_provider.models import Application as A
call_command("migrate", verbosity=0)
u = User.objects.create_user("alice", "alice@example.test", "alice-password")
h = os.environ["DOT_HASH"] == "1"; ru = "http://127.0.0.1:8999/cb"
def app(i, secret, ctype, grant, **k): A.objects.create(client_id=i, client_secret=secret, client_type=ctype, authorization_grant_type=grant, name=i, user=u, hash_client_secret=h and bool(secret), skip_authorization=True, **k)
app("cc", "s3cret-cc", "confidential", A.GRANT_CLIENT_CREDENTIALS)
app("web", "s3cret-web", "confidential", A.GRANT_AUTHORIZATION_CODE, redirect_uris=ru, algorithm="RS256")
app("pub", "", "public", A.GRANT_AUTHORIZATION_CODE, redirect_uris=ru, algorithm="RS256")
app("dev", "", "public", A.GRANT_DEVICE_CODE)
app("pw", "s3cret-pw", "confidential", A.GRANT_PASSWORD)
from django.db import connection; connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
P
  [[ -s $tpl ]] || mv "$tpl.new" "$tpl"
  : >as.env; local i=0 m p
  for m in ${MODES//,/ }; do p=$((PORT+i)); i=$((i+1)); rm -f "$shm/dot-$p.db"*; cp "$tpl" "$shm/dot-$p.db"
    DOT_MODE=$m DOT_DB=$shm/dot-$p.db DOT_BASE=http://127.0.0.1:$p setsid "$VENV/bin/gunicorn" -b 127.0.0.1:$p -w 1 --threads 8 --keep-alive 30 --log-level warning --access-logfile "$DIR/$m.access" dotas.wsgi </dev/null >"$m.log" 2>&1 & echo $! >"$m.pid"
    echo "BASE_$(up "$m")=http://127.0.0.1:$p/o"$'\n'"TOKEN_$(up "$m")=http://127.0.0.1:$p/o/token/" >>as.env; done
  i=0; for m in ${MODES//,/ }; do p=$((PORT+i)); i=$((i+1)); local ok=0; for _ in $(seq 300); do rm -f $m.cookie; C -o /dev/null -c "$m.cookie" "http://127.0.0.1:$p/accounts/login/" 2>/dev/null && { ok=1; break; }; sleep .03; done; ((ok)) || { echo "$m: no answer" >&2; cat "$m.log" >&2; exit 1; }
    C -o /dev/null -b "$m.cookie" -c "$m.cookie" -d "csrfmiddlewaretoken=$(awk '$6=="csrftoken"{print $7}' "$m.cookie")" -d 'username=alice&password=alice-password&next=/' "http://127.0.0.1:$p/accounts/login/"; done
  cat >>as.env <<X
CC_ID=cc
CC_SECRET=s3cret-cc
WEB_ID=web
WEB_SECRET=s3cret-web
PUB_ID=pub
DEV_ID=dev
PW_ID=pw
PW_SECRET=s3cret-pw
SCOPE=svc
REDIRECT_URI=http://127.0.0.1:8999/cb
DEVICE_PATH=/device-authorization/
REVOKE_PATH=/revoke_token/
INTROSPECT_PATH=/introspect/
DISCOVERY_PATH=/.well-known/openid-configuration
USER_NAME=alice
USER_PASSWORD=alice-password
X
  jq -nR '[inputs|split("=")|{(.[0]):(.[1:]|join("="))}]|add' <as.env >as.json; cat as.env
}
login() { . "$DIR/as.env"; local v ch r code b B; B=$(base)
  v=$(openssl rand -hex 32); ch=$(printf %s "$v" | openssl dgst -sha256 -binary | basenc --base64url | tr -d '=\n')
  r=$(C -b "$DIR/$MODE.cookie" -o /dev/null -w '%{redirect_url}' -G "$B/authorize/" -d response_type=code -d client_id="$CLIENT" --data-urlencode redirect_uri="$REDIRECT_URI" --data-urlencode 'scope=openid svc' -d state=st -d code_challenge="$ch" -d code_challenge_method=S256)
  code=$(sed -n 's/.*[?&]code=\([^&]*\).*/\1/p' <<<"$r"); [[ -n $code ]] || { echo "no code: $r" >&2; return 1; }
  b=(-d client_id=pub); [[ $CLIENT == web ]] && b=(-u "web:$WEB_SECRET")
  C "${b[@]}" -d grant_type=authorization_code -d code="$code" -d code_verifier="$v" --data-urlencode redirect_uri="$REDIRECT_URI" "$B/token/"; echo; }
approve() { . "$DIR/as.env"; local B u; B=$(base); u=$(C -b "$DIR/$MODE.cookie" -o /dev/null -w '%{redirect_url}' --data-urlencode "user_code=$arg" "$B/device/"); C -b "$DIR/$MODE.cookie" -o /dev/null -w '%{http_code} %{redirect_url}\n' -d action=accept "$u"; }
check() { . "$DIR/as.env"; local t r1 r2 r3 d; ok() { echo "ok   $*"; }; no() { echo "FAIL $*"; exit 1; }; W=(-u "web:$WEB_SECRET" -d grant_type=refresh_token)
  t=$(C -u "cc:$CC_SECRET" -d grant_type=client_credentials "$TOKEN_ROTATE"); jq -e .access_token <<<"$t" >/dev/null && ok "client_credentials expires_in=$(jq .expires_in <<<"$t")" || no "cc $t"
  t=$(login); r1=$(jq -r .refresh_token <<<"$t"); [[ $r1 != null ]] && ok "code + PKCE" || no "code $t"
  r2=$(C "${W[@]}" -d refresh_token="$r1" "$TOKEN_ROTATE" | jq -r .refresh_token); [[ $r2 != null && $r2 != "$r1" ]] && ok rotates || no "refresh $r2"
  t=$(C "${W[@]}" -d refresh_token="$r1" "$TOKEN_ROTATE"); [[ $(jq -r .error <<<"$t") == invalid_grant ]] && ok "old refresh token: $t" || no "reuse $t"
  t=$(C "${W[@]}" -d refresh_token="$r2" "$TOKEN_ROTATE"); [[ $(jq -r .error <<<"$t") == invalid_grant ]] && ok "family revoked by the reuse" || no "family $t"
  if [[ -n ${TOKEN_STATIC:-} ]]; then MODE=static; r1=$(login | jq -r .refresh_token); r2=$(C "${W[@]}" -d refresh_token="$r1" "$TOKEN_STATIC" | jq -r .refresh_token); [[ $r1 == "$r2" ]] && ok "static: same refresh token back" || no "static $r2"; fi
  if [[ -n ${TOKEN_GRACE:-} ]]; then MODE=grace; r1=$(login | jq -r .refresh_token); r2=$(C "${W[@]}" -d refresh_token="$r1" "$TOKEN_GRACE" | jq -r .refresh_token); r3=$(C "${W[@]}" -d refresh_token="$r1" "$TOKEN_GRACE" | jq -r .refresh_token); [[ $r2 == "$r3" && $r2 != "$r1" ]] && ok "grace: old token retried, same new pair" || no "grace $r2 $r3"; fi
  MODE=rotate; d=$(C -d client_id=dev -d scope=svc "$BASE_ROTATE/device-authorization/"); D=(-d client_id=dev -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code="$(jq -r .device_code <<<"$d")")
  t=$(C "${D[@]}" "$TOKEN_ROTATE"); [[ $(jq -r .error <<<"$t") == authorization_pending ]] && ok "device pending" || no "device $d $t"
  arg=$(jq -r .user_code <<<"$d"); approve >/dev/null; sleep 1.1; t=$(C "${D[@]}" "$TOKEN_ROTATE"); jq -e .access_token <<<"$t" >/dev/null && ok "device granted" || no "device $t"; }
"$cmd"
