#!/usr/bin/env bash
# glewlwyd.sh - real OAuth2/OIDC authorization server (Glewlwyd 2.7.5, C, GPL-3, Debian package) on 127.0.0.1
#
# usage: glewlwyd.sh install                 fetch it (Debian apt; no service, user or /etc file is made)
#        glewlwyd.sh start  [options]        fresh database, start, provision, print + write DIR/as.env, DIR/as.json
#        glewlwyd.sh stop   [--dir DIR]      stop the server that `start` left in DIR (by its pid)
#        glewlwyd.sh login  [--dir DIR] [--plugin rotate] [--client web]   print a token response got by
#                                            authorization code + PKCE with a scripted login (needs curl, jq, openssl)
#        glewlwyd.sh approve CODE [--dir DIR] [--plugin rotate]            user approves a device user_code
#        glewlwyd.sh check  [--dir DIR]      one client_credentials, rotation + reuse, device, PKCE; exit 0 when all hold
# options: --dir DIR         state folder          (default /tmp/evertoken-test/glewlwyd)
#          --port N          listening port        (default 4593; plain HTTP, or HTTPS with --tls)
#          --tls             serve HTTPS with a throw-away CA (DIR/ca.crt) and accept client certificates (mTLS)
#          --access-ttl S    access token lifetime of every plugin but 'long'  (default 5)
#          --refresh-ttl S   refresh token lifetime of plugin 'expiring'       (default 20)
#          --device-ttl S    lifetime of a device code                         (default 120)
#          --redirect URI    one more redirect URI of 'web' and 'pub'
#          --web             serve its own pages too: login, consent, device approval
# One process serves five issuers, each http(s)://127.0.0.1:PORT/api/NAME :
#   rotate    refresh token good for ONE use, a new one in each answer; reuse of an old one kills the chain
#   static    refresh answer carries NO refresh_token: the first stays good, its lifetime slides
#   expiring  as static, but the refresh token dies for good REFRESH_TTL s after it was issued
#   long      rotate with 3600 s access tokens
#   dpop      rotate, DPoP allowed (RFC 9449)
# Load at most one of them at a time, and start a second copy (--dir, --port) for another: the issuers share one
#   database connection without a common lock, so requests to two of them at once now and then (8 of 3900) end in
#   an empty 500 with the refresh token spent. One issuer alone answered 21000 refreshes of 16 grants without one.
# clients (secret 's3cret-…' in as.env): cc-basic cc-post cc-sjwt (client_secret_jwt) cc-pkjwt (private_key_jwt, DIR/client.key,
#   kid k1, ES256) cc-mtls (tls_client_auth, DIR/client.crt; --tls only) web (code, refresh, device, password) pub (public)
# user: alice / alice-password      admin: admin / password
# Needs: Debian 12 and root (for apt); installs what it lacks. Start takes 1 to 3 s, about 20 MB resident.
# GLEWLWYD_ROOT: where the package is unpacked (/tmp/evertoken-test/glewlwyd-root), kept from run to run
set -euo pipefail
case "${1:-}" in ''|-h|--help) sed -n '2,/^set -euo/p' "$0" | sed '/^set/d;s/^# \{0,1\}//'; exit 0;; esac
cmd=$1; shift
arg=; [[ $cmd == approve ]] && { arg=$1; shift; }
DIR=/tmp/evertoken-test/glewlwyd PORT=4593 TLS=0 ATTL=5 RTTL=20 DTTL=120 REDIRECT='' WEB=0 PLUGIN=rotate CLIENT=web
while (($#)); do case $1 in
  --dir) DIR=$2; shift 2;; --port) PORT=$2; shift 2;; --tls) TLS=1; shift;; --access-ttl) ATTL=$2; shift 2;;
  --refresh-ttl) RTTL=$2; shift 2;; --device-ttl) DTTL=$2; shift 2;; --redirect) REDIRECT=$2; shift 2;; --web) WEB=1; shift;;
  --plugin) PLUGIN=$2; shift 2;; --client) CLIENT=$2; shift 2;;
  *) echo "unknown option $1" >&2; exit 2;; esac; done
ROOT=${GLEWLWYD_ROOT:-/tmp/evertoken-test/glewlwyd-root}     # unpacked .deb; nothing of it is installed
APT=(apt-get -o DPkg::Lock::Timeout=300)
LIBS="libulfius2.7 libhoel1.4 librhonabwy1.1 libiddawc1.1 liboath0 libconfig9 libcbor0.8 sqlite3 jq curl openssl"

install() {
  [[ -x $ROOT/usr/bin/glewlwyd ]] && "$ROOT/usr/bin/glewlwyd" -v >/dev/null 2>&1 && hash sqlite3 jq curl openssl 2>/dev/null && return 0
  local need=(); for p in $LIBS; do dpkg -s "$p" >/dev/null 2>&1 || need+=("$p"); done
  apt-cache show glewlwyd >/dev/null 2>&1 || "${APT[@]}" update -q >&2
  ((${#need[@]})) && DEBIAN_FRONTEND=noninteractive "${APT[@]}" install -qy --no-install-recommends "${need[@]}" >&2
  local t; t=$(mktemp -d); chmod 755 "$t"; chown _apt "$t" 2>/dev/null || true; (cd "$t" && "${APT[@]}" download -q glewlwyd >&2 && mkdir -p "$ROOT" && dpkg -x glewlwyd_*.deb "$ROOT"); rm -rf "$t"
  "$ROOT/usr/bin/glewlwyd" -v >/dev/null
}
# The pages are JavaScript, with libraries of their own packages.
web() { [[ -s $ROOT/webapp/config.json ]] && return 0
  local t; t=$(mktemp -d); chmod 755 "$t"; chown _apt "$t" 2>/dev/null || true
  (cd "$t" && "${APT[@]}" download -q glewlwyd-common libjs-jquery libjs-bootstrap4 libjs-popper.js >&2 && for p in *.deb; do dpkg -x "$p" "$ROOT"; done); rm -rf "$t"
  rm -rf "$ROOT/webapp.new"; cp -r "$ROOT/usr/share/glewlwyd/webapp" "$ROOT/webapp.new"; local f to
  while IFS= read -r f; do to=$(readlink -m "$ROOT/usr/share/glewlwyd/webapp/${f#"$ROOT/webapp.new/"}"); rm "$f"; [[ -f $to ]] && cp -L "$to" "$f"; done < <(find "$ROOT/webapp.new" -type l)
  cp "$ROOT/usr/share/glewlwyd/templates/config.json" "$ROOT/webapp.new/config.json"; rm -rf "$ROOT/webapp"; mv "$ROOT/webapp.new" "$ROOT/webapp"; }
stop() { [[ -s $DIR/pid ]] || return 0; local p; p=$(<"$DIR/pid")
  if [[ -r /proc/$p/cmdline ]] && tr '\0' ' ' <"/proc/$p/cmdline" | grep -q "$DIR/glewlwyd.conf"; then
    kill "$p"; for _ in $(seq 100); do kill -0 "$p" 2>/dev/null || break; sleep .05; done; fi; rm -f "$DIR/pid"
  p=$(sed -n 's/.*path = "\(\/dev\/shm\/glewlwyd-[0-9]*\.db\)".*/\1/p' "$DIR/glewlwyd.conf" 2>/dev/null || true); [[ -z $p ]] || rm -f "$p" "$p-wal" "$p-shm"; }
C() { curl -sS --noproxy '*' --max-time 10 ${CAOPT:-} "$@"; }
load() { . "$DIR/as.env"; CAOPT=; [[ $BASE == https* ]] && CAOPT="--cacert $DIR/ca.crt"; true; }

start() {
  install; ((WEB)) && web; stop; mkdir -p "$DIR"; rm -f "$DIR"/*.db "$DIR"/*.log; DIR=$(cd "$DIR" && pwd); cd "$DIR"
  # the database is thrown away at each start: keep it in memory, or the fsyncs of SQLite cost most of each token request
  local db=$DIR/g.db; [[ -w /dev/shm ]] && db=/dev/shm/glewlwyd-$PORT.db; rm -f "$db"*
  (echo 'PRAGMA journal_mode=WAL;'; cat "$ROOT/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3") | sqlite3 "$db" >/dev/null
  [[ -s sign.key ]] || { openssl ecparam -name prime256v1 -genkey -noout -out sign.key; openssl ec -in sign.key -pubout -out sign.pub; } 2>/dev/null
  [[ -s client.key ]] || { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out client.key; } 2>/dev/null
  local scheme=http secure=false
  if ((TLS)); then scheme=https secure=true
    [[ -s ca.crt ]] || {
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=as-test-ca -addext keyUsage=critical,keyCertSign,cRLSign
      for n in server client; do
        [[ $n == client ]] || openssl ecparam -name prime256v1 -genkey -noout -out $n.key
        san=DNS:localhost,IP:127.0.0.1; eku=serverAuth; [[ $n == client ]] && san=DNS:daemon.test eku=clientAuth
        openssl req -new -key $n.key -subj "/O=as-test/CN=$n" | openssl x509 -req -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -out $n.crt \
          -extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=%s\nkeyUsage=critical,digitalSignature\nbasicConstraints=critical,CA:FALSE\n' $san $eku)
      done; } 2>/dev/null; fi
  BASE=$scheme://127.0.0.1:$PORT
  cat >glewlwyd.conf <<X
port=$PORT
bind_address="127.0.0.1"
external_url="$BASE"
api_prefix="api"
login_url="login.html"
allow_origin="*"
log_mode="file"
log_level="WARNING"
log_file="$DIR/server.log"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=2419200
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="$ROOT/usr/lib/glewlwyd/user"
user_middleware_module_path="$ROOT/usr/lib/glewlwyd/user_middleware"
client_module_path="$ROOT/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="$ROOT/usr/lib/glewlwyd/scheme"
plugin_module_path="$ROOT/usr/lib/glewlwyd/plugin"
use_secure_connection=$secure
secure_connection_key_file="$DIR/server.key"
secure_connection_pem_file="$DIR/server.crt"
secure_connection_ca_file="$DIR/ca.crt"
hash_algorithm = "SHA512"
database = { type = "sqlite3" path = "$db" };
$( ((WEB)) && echo "static_files_path=\"$ROOT/webapp/\"" )
static_files_mime_types = ( { extension = ".html" mime_type = "text/html" compress = 0 }, { extension = ".css" mime_type = "text/css" compress = 0 },
  { extension = ".js" mime_type = "application/javascript" compress = 0 }, { extension = ".json" mime_type = "application/json" compress = 0 }, { extension = "*" mime_type = "application/octet-stream" compress = 0 } )
X
  mkdir -p "$ROOT/usr/lib/glewlwyd/user_middleware"
  setsid "$ROOT/usr/bin/glewlwyd" -c "$DIR/glewlwyd.conf" </dev/null >server.out 2>&1 & echo $! >pid
  CAOPT=; ((TLS)) && CAOPT="--cacert $DIR/ca.crt"
  local up=0; for _ in $(seq 200); do C -o /dev/null "$BASE/api/auth/" 2>/dev/null && { up=1; break; }; sleep .02; done
  ((up)) || { echo "no answer on $BASE" >&2; cat server.out server.log >&2; stop; exit 1; }
  rm -f admin.cookie
  J() { local m=$1 p=$2; shift 2; local out; out=$(C -b admin.cookie -c admin.cookie -X "$m" -H 'Content-Type: application/json' -w '\n%{http_code}' -d "$1" "$BASE/api$p")
    [[ ${out##*$'\n'} == 200 ]] || { echo "$m $p: $out" >&2; exit 1; }; }
  J POST /auth/ '{"username":"admin","password":"password"}'
  for s in svc svc2; do J POST /scope/ "{\"name\":\"$s\",\"display_name\":\"$s\",\"description\":\"$s\",\"password_required\":false}"; done
  # the default client module hides properties it has no format for: add the ones used here
  local cm; cm=$(C -b admin.cookie "$BASE/api/mod/client/database" | jq -c '.parameters["data-format"].tls_client_auth_subject_dn={"multiple":false,"read":true,"write":true}')
  plugin() { J POST /mod/plugin/ "$(jq -nc --rawfile k sign.key --rawfile p sign.pub --arg n "$1" --arg iss "$BASE/api/$1" --argjson x "$2" --argjson at "$ATTL" \
    '{module:"oidc",name:$n,display_name:$n,enabled:true,parameters:({iss:$iss,"jwt-type":"ecdsa","jwt-key-size":"256",key:$k,cert:$p,
      "access-token-duration":$at,"refresh-token-duration":1209600,"code-duration":60,"refresh-token-rolling":true,"refresh-token-one-use":"always",
      "allow-non-oidc":true,"auth-type-code-enabled":true,"auth-type-token-enabled":false,"auth-type-none-enabled":false,"auth-type-password-enabled":true,
      "auth-type-client-enabled":true,"auth-type-refresh-enabled":true,"auth-type-device-enabled":true,"device-authorization-expiration":'$DTTL',"device-authorization-interval":1,
      "pkce-allowed":true,"pkce-required-public-client":true,"introspection-revocation-allowed":true,"introspection-revocation-allow-target-client":true,
      "request-parameter-allow":true,"client-jwks-parameter":"jwks","client-pubkey-parameter":"pubkey","jwks-show":true,
      "client-cert-source":"TLS","client-cert-self-signed-allowed":false,"client-cert-use-endpoint-aliases":false,
      "oauth-par-allowed":true,"oauth-par-required":false,"oauth-par-request_uri-prefix":"urn:ietf:params:oauth:request_uri:","oauth-par-duration":90,
      "scope":[]}+$x)}')"; }
  plugin rotate '{}'
  plugin static '{"refresh-token-one-use":"never"}'
  plugin expiring "{\"refresh-token-one-use\":\"never\",\"refresh-token-rolling\":false,\"refresh-token-duration\":$RTTL}"
  plugin long '{"access-token-duration":3600}'
  plugin dpop '{"oauth-dpop-allowed":true,"oauth-dpop-iat-duration":60}'
  local jwks; jwks=$(openssl ec -in client.key -pubout -outform DER 2>/dev/null | tail -c 64 | { b() { basenc --base64url | tr -d '=\n'; }; tee >(head -c 32 | b >x.b64) | tail -c 32 | b >y.b64; wait; sleep .05; jq -nc --rawfile x x.b64 --rawfile y y.b64 '{keys:[{kty:"EC",crv:"P-256",kid:"k1",alg:"ES256",use:"sig",x:$x,y:$y}]}'; })
  client() { J POST /client/ "$(jq -nc --arg id "$1" --argjson x "$2" '{client_id:$id,name:$id,enabled:true,confidential:true,scope:["svc","svc2"],authorization_type:["client_credentials"]}+$x')"; }
  client cc-basic '{"client_secret":"s3cret-basic","token_endpoint_auth_method":["client_secret_basic"]}'
  client cc-post  '{"client_secret":"s3cret-post","token_endpoint_auth_method":["client_secret_post"]}'
  client cc-sjwt  '{"client_secret":"s3cret-sjwt-0123456789abcdef0123","token_endpoint_auth_method":["client_secret_jwt"]}'
  client cc-pkjwt "{\"jwks\":$jwks,\"token_endpoint_auth_method\":[\"private_key_jwt\"]}"
  client cc-mtls  '{"tls_client_auth_san_dns":"daemon.test","token_endpoint_auth_method":["tls_client_auth"]}'
  local at='["code","refresh_token","password","device_authorization","delete_token"]' ru='["http://127.0.0.1:8999/cb"'"${REDIRECT:+,\"$REDIRECT\"}"']'
  client web "{\"client_secret\":\"s3cret-web\",\"token_endpoint_auth_method\":[\"client_secret_basic\",\"client_secret_post\"],\"authorization_type\":$at,\"redirect_uri\":$ru}"
  client pub "{\"confidential\":false,\"token_endpoint_auth_method\":[\"none\"],\"authorization_type\":$at,\"redirect_uri\":$ru}"
  J POST /user/ '{"username":"alice","name":"Alice","email":"alice@example.test","password":"alice-password","enabled":true,"scope":["openid","svc","svc2","g_profile"]}'
  rm -f alice.cookie; C -o /dev/null -c alice.cookie -H 'Content-Type: application/json' -d '{"username":"alice","password":"alice-password"}' "$BASE/api/auth/"
  for c in web pub; do C -o /dev/null -b alice.cookie -X PUT -H 'Content-Type: application/json' -d '{"scope":"openid svc svc2"}' "$BASE/api/auth/grant/$c"; done
  cat >as.env <<X
BASE=$BASE
ISSUER_ROTATE=$BASE/api/rotate
TOKEN_ROTATE=$BASE/api/rotate/token
TOKEN_STATIC=$BASE/api/static/token
TOKEN_EXPIRING=$BASE/api/expiring/token
TOKEN_LONG=$BASE/api/long/token
TOKEN_DPOP=$BASE/api/dpop/token
DEVICE_ROTATE=$BASE/api/rotate/device_authorization
AUTH_ROTATE=$BASE/api/rotate/auth
REVOKE_ROTATE=$BASE/api/rotate/revoke
INTROSPECT_ROTATE=$BASE/api/rotate/introspect
DISCOVERY_ROTATE=$BASE/api/rotate/.well-known/openid-configuration
CC_BASIC_ID=cc-basic
CC_BASIC_SECRET=s3cret-basic
CC_POST_ID=cc-post
CC_POST_SECRET=s3cret-post
CC_SJWT_ID=cc-sjwt
CC_SJWT_SECRET=s3cret-sjwt-0123456789abcdef0123
CC_PKJWT_ID=cc-pkjwt
CC_PKJWT_KEY=$DIR/client.key
CC_PKJWT_KID=k1
CC_MTLS_ID=cc-mtls
MTLS_CERT=$DIR/client.crt
MTLS_KEY=$DIR/client.key
CA=$DIR/ca.crt
WEB_ID=web
WEB_SECRET=s3cret-web
PUB_ID=pub
REDIRECT_URI=http://127.0.0.1:8999/cb
USER_NAME=alice
USER_PASSWORD=alice-password
SCOPE=svc
PID=$(<pid)
X
  jq -nR '[inputs|split("=")|{(.[0]):(.[1:]|join("="))}]|add' <as.env >as.json
  cat as.env
}
login() { load; local v ch r code b
  v=$(openssl rand -hex 32); ch=$(printf %s "$v" | openssl dgst -sha256 -binary | basenc --base64url | tr -d '=\n')
  r=$(C -b "$DIR/alice.cookie" -o /dev/null -w '%{redirect_url}' -G "$BASE/api/$PLUGIN/auth" -d response_type=code -d client_id="$CLIENT" -d g_continue= \
     --data-urlencode redirect_uri="$REDIRECT_URI" --data-urlencode 'scope=openid svc' -d state=st -d nonce=n0nce-0123456789 -d code_challenge="$ch" -d code_challenge_method=S256)
  code=$(sed -n 's/.*[?&]code=\([^&]*\).*/\1/p' <<<"$r"); [[ -n $code ]] || { echo "no code: $r" >&2; return 1; }
  b=(-d client_id=pub); [[ $CLIENT == web ]] && b=(-u "web:$WEB_SECRET")
  C "${b[@]}" -d grant_type=authorization_code -d code="$code" -d code_verifier="$v" --data-urlencode redirect_uri="$REDIRECT_URI" "$BASE/api/$PLUGIN/token"; echo; }
approve() { load; C -b "$DIR/alice.cookie" -o /dev/null -w '%{http_code} %{redirect_url}\n' -G "$BASE/api/$PLUGIN/device" --data-urlencode "code=$arg" -d g_continue=; }
check() { load; local t r1 r2 d; ok() { echo "ok   $*"; }; no() { echo "FAIL $*"; exit 1; }
  t=$(C -u "cc-basic:$CC_BASIC_SECRET" -d grant_type=client_credentials -d scope=svc "$TOKEN_ROTATE"); jq -e .access_token <<<"$t" >/dev/null && ok "client_credentials expires_in=$(jq .expires_in <<<"$t")" || no "cc $t"
  t=$(login); r1=$(jq -r .refresh_token <<<"$t"); [[ $r1 != null ]] && ok "code + PKCE" || no "code $t"
  t=$(C -u "web:$WEB_SECRET" -d grant_type=refresh_token -d refresh_token="$r1" "$TOKEN_ROTATE"); r2=$(jq -r .refresh_token <<<"$t"); [[ $r2 != null && $r2 != "$r1" ]] && ok "refresh rotates" || no "refresh $t"
  t=$(C -u "web:$WEB_SECRET" -d grant_type=refresh_token -d refresh_token="$r1" "$TOKEN_ROTATE"); [[ -z $t ]] && ok "old refresh token refused (400, empty body)" || no "reuse $t"
  t=$(C -u "web:$WEB_SECRET" -d grant_type=refresh_token -d refresh_token="$r2" "$TOKEN_ROTATE"); [[ -z $t ]] && ok "chain revoked by the reuse" || no "chain $t"
  d=$(C -u "web:$WEB_SECRET" -d scope='openid svc' "$DEVICE_ROTATE"); t=$(C -u "web:$WEB_SECRET" -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code="$(jq -r .device_code <<<"$d")" "$TOKEN_ROTATE")
  [[ $(jq -r .error <<<"$t") == authorization_pending ]] && ok "device pending" || no "device $d $t"
  arg=$(jq -r .user_code <<<"$d"); PLUGIN=rotate approve >/dev/null; sleep 1.1
  t=$(C -u "web:$WEB_SECRET" -d grant_type=urn:ietf:params:oauth:grant-type:device_code -d device_code="$(jq -r .device_code <<<"$d")" "$TOKEN_ROTATE"); jq -e .refresh_token <<<"$t" >/dev/null && ok "device granted" || no "device $t"; }
"$cmd"
