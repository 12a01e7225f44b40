// Command server is the authorization server of the benchmarks: strict, quick, and a witness. A
// refresh token works once, a second use is counted and refused, and every request is compared with
// the life of the token that it replaces. With -grace a refresh token works again until its
// successor has been used, as at providers that allow for lost answers; each such use is counted.
//
// An access token is at-CLIENT-SERIAL-END-RANDOM, END in milliseconds since 1970, so that a reader
// of a token file knows when that token ends. Every answer closes its connection.
//
// Build it with Debian's golang-go, without a network: GO111MODULE=off go build -o server main.go
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

const shards = 64

// grant is what the server knows of one client.
type grant struct {
	refreshToken string
	formerToken  string
	serial       int
	issued       time.Time
	life         time.Duration
	twice        int
}

type shard struct {
	sync.Mutex
	grants map[string]*grant
}

// server hands out the tokens; lateness and the counters belong to the present window.
type server struct {
	shards   [shards]shard
	life     time.Duration
	at       float64
	size     int
	rotates  bool
	grace    bool
	even     bool
	spread   float64
	padding  string
	lock     sync.Mutex
	lateness []time.Duration
	answered int
	refused  int
	twice    int
	repeated int
	expired  int
}

func (s *server) shard(client string) *shard {
	sum := uint32(2166136261)
	for i := 0; i < len(client); i++ {
		sum = (sum ^ uint32(client[i])) * 16777619
	}
	return &s.shards[sum%shards]
}

// token answers one refresh (RFC 6749 section 6) of a client that is named in the Basic header.
func (s *server) token(w http.ResponseWriter, r *http.Request) {
	arrived := time.Now()
	client, _, ok := r.BasicAuth()
	if err := r.ParseForm(); err != nil || !ok {
		s.count(func() { s.refused++ })
		reply(w, 401, map[string]interface{}{"error": "invalid_client"})
		return
	}
	offered := r.PostForm.Get("refresh_token")
	place := s.shard(client)
	place.Lock()
	held := place.grants[client]
	if held == nil {
		held = &grant{refreshToken: "first-" + client}
		place.grants[client] = held
	}
	repeats := s.grace && held.serial > 0 && offered == held.formerToken
	if offered != held.refreshToken && !repeats {
		held.twice++
		place.Unlock()
		s.count(func() { s.refused++; s.twice++ })
		reply(w, 400, map[string]interface{}{"error": "invalid_grant"})
		return
	}
	due := held.issued.Add(time.Duration(float64(held.life) * s.at))
	ended := held.issued.Add(held.life)
	isFirst := held.serial == 0
	held.serial++
	if s.rotates {
		held.formerToken = offered
		held.refreshToken = fmt.Sprintf("rt-%s-%d-%x%s", client, held.serial, rand.Int63(), s.padding)
	}
	held.life = s.newLife(isFirst)
	held.issued = arrived
	body := map[string]interface{}{
		"access_token": fmt.Sprintf("at-%s-%d-%d-%x%s", client, held.serial,
			arrived.Add(held.life).UnixMilli(), rand.Int63(), s.padding),
		"token_type": "Bearer", "expires_in": int(held.life / time.Second),
		"refresh_token": held.refreshToken,
	}
	place.Unlock()
	s.count(func() {
		s.answered++
		if repeats {
			s.repeated++
		}
		if isFirst || repeats {
			return
		}
		s.lateness = append(s.lateness, arrived.Sub(due))
		if arrived.After(ended) {
			s.expired++
		}
	})
	reply(w, 200, body)
}

// newLife is the life of the next access token, in whole seconds. Lives differ, so that a burst
// does not come back as one; where it is to be even, the first ones differ by a mean life: the
// refreshes are then due at the mean rate soon after the burst.
func (s *server) newLife(isFirst bool) time.Duration {
	least, most := 1-s.spread, 1+s.spread
	if isFirst && s.even {
		least, most = 0.3, 1.3
	}
	life := float64(s.life) * (least + rand.Float64()*(most-least))
	return time.Duration(life).Truncate(time.Second)
}

func (s *server) count(change func()) {
	s.lock.Lock()
	defer s.lock.Unlock()
	change()
}

// window tells what was counted since the last call, and begins anew.
func (s *server) window(w http.ResponseWriter, r *http.Request) {
	s.lock.Lock()
	defer s.lock.Unlock()
	sort.Slice(s.lateness, func(i, j int) bool { return s.lateness[i] < s.lateness[j] })
	late := func(share float64) float64 {
		if len(s.lateness) == 0 {
			return 0
		}
		return s.lateness[int(share*float64(len(s.lateness)-1))].Seconds()
	}
	reply(w, 200, map[string]interface{}{
		"answered": s.answered, "refused": s.refused, "twice": s.twice, "expired": s.expired,
		"repeated": s.repeated,
		"late_p50": late(0.5), "late_p99": late(0.99), "late_max": late(1),
	})
	s.answered, s.refused, s.twice, s.expired, s.repeated, s.lateness = 0, 0, 0, 0, 0, nil
}

// audit tells of each client: how many tokens it was given, when the last one (milliseconds since
// 1970), and how often it sent a spent refresh token.
func (s *server) audit(w http.ResponseWriter, r *http.Request) {
	all := map[string][3]int64{}
	for i := range s.shards {
		s.shards[i].Lock()
		for client, held := range s.shards[i].grants {
			all[client] = [3]int64{int64(held.serial), held.issued.UnixMilli(), int64(held.twice)}
		}
		s.shards[i].Unlock()
	}
	reply(w, 200, all)
}

func reply(w http.ResponseWriter, status int, body interface{}) {
	text, _ := json.Marshal(body)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
	w.Write(text)
}

func main() {
	life := flag.Duration("life", time.Hour, "of an access token, on average")
	at := flag.Float64("at", 0.67, "part of its life after which a refresh is late")
	size := flag.Int("size", 1024, "of each token, in bytes")
	static := flag.Bool("static", false, "a refresh token works again and again")
	certificate := flag.String("certificate", "", "PEM file of a certificate and its key: https")
	grace := flag.Bool("grace", false, "a refresh token works until its successor was used")
	even := flag.Bool("even", false, "spread the first lives, so that refreshes are due evenly")
	spread := flag.Float64("spread", 0.25, "how far a life is from the average, as a part of it")
	flag.Parse()
	s := &server{life: *life, at: *at, size: *size, rotates: !*static, grace: *grace, even: *even,
		spread: *spread}
	s.padding = "-" + strings.Repeat("x", max(0, *size-64))
	for i := range s.shards {
		s.shards[i].grants = map[string]*grant{}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/token", s.token)
	mux.HandleFunc("/window", s.window)
	mux.HandleFunc("/audit", s.audit)
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(door.Addr().(*net.TCPAddr).Port)
	os.Stdout.Close()
	// A full handshake of TLS 1.3 for each connection; HTTP/2 would keep them.
	web := &http.Server{Handler: mux, ErrorLog: log.New(io.Discard, "", 0),
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, SessionTicketsDisabled: true,
			NextProtos: []string{"http/1.1"}},
		TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	if *certificate != "" {
		log.Fatal(web.ServeTLS(door, *certificate, *certificate))
	}
	log.Fatal(web.Serve(door))
}

func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}
