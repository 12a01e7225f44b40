// Command go-refresher is what one would write instead of running evertokend: a Go program that
// keeps the access tokens of a few credentials fresh with golang.org/x/oauth2. It is the measure
// that idle.py holds evertokend against, so it is written to be good at the job, not to look bad:
// one goroutine a credential, one timer each, nothing else that could wake it.
//
// x/oauth2's ReuseTokenSource requests a new token only when a caller uses one with 10 s left.
// A program that publishes tokens for others has to be ahead of that, so each refresh here takes a
// fresh source of the library, which is due at once, and the timer decides when.
//
// Build it with Debian's packages golang-go and golang-golang-x-oauth2-dev, without a network:
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o go-refresher main.go
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"math/rand"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

const (
	refreshAt      = 0.67
	requestTimeout = 30 * time.Second
	firstRetry     = time.Second
	lastRetry      = 5 * time.Minute
	// An answer without expires_in says nothing about its lifetime (RFC 6749 section 5.1).
	assumedLifetime = time.Hour
)

type config struct {
	TokenDir    string       `json:"token_dir"`
	StateDir    string       `json:"state_dir"`
	Credentials []credential `json:"credentials"`
}

type credential struct {
	Name         string   `json:"name"`
	TokenURL     string   `json:"token_url"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	Scopes       []string `json:"scopes"`
	// RefreshToken is the first one; empty means the client credentials grant.
	RefreshToken string `json:"refresh_token"`

	tokenPath, statePath string
}

func main() {
	path := flag.String("config", "go-refresher.json", "configuration file, JSON")
	flag.Parse()
	rand.Seed(time.Now().UnixNano())
	settings, err := readConfig(*path)
	if err != nil {
		log.Fatal(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	var running sync.WaitGroup
	for _, each := range settings.Credentials {
		running.Add(1)
		go func(one credential) {
			defer running.Done()
			one.keepFresh(ctx)
		}(each)
	}
	running.Wait()
}

func readConfig(path string) (config, error) {
	var settings config
	text, err := os.ReadFile(path)
	if err != nil {
		return settings, err
	}
	if err := json.Unmarshal(text, &settings); err != nil {
		return settings, fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(settings.StateDir, 0o700); err != nil {
		return settings, err
	}
	for i := range settings.Credentials {
		one := &settings.Credentials[i]
		one.tokenPath = filepath.Join(settings.TokenDir, one.Name, "token")
		one.statePath = filepath.Join(settings.StateDir, one.Name+".json")
		if err := os.MkdirAll(filepath.Dir(one.tokenPath), 0o750); err != nil {
			return settings, err
		}
	}
	return settings, nil
}

// keepFresh refreshes one credential until the program is told to stop. A refresh that was sent is
// always finished and stored, because its answer may hold the only refresh token that still works.
func (c credential) keepFresh(ctx context.Context) {
	held, err := c.load()
	if err != nil {
		log.Printf("%s: %v; not refreshing", c.Name, err)
		return
	}
	var wait, retry time.Duration
	if held.Valid() && !held.Expiry.IsZero() {
		wait = dueIn(time.Until(held.Expiry))
		if err := replaceFile(c.tokenPath, []byte(held.AccessToken), 0o640); err != nil {
			log.Printf("%s: %v", c.Name, err)
		}
	}
	for sleep(ctx, wait) {
		fresh, err := c.refresh(held)
		if fresh != nil {
			held = fresh
		}
		if err != nil {
			retry = nextRetry(retry)
			wait = time.Duration(rand.Int63n(int64(retry)))
			log.Printf("%s: %v; again in %v", c.Name, err, wait.Round(time.Second))
			continue
		}
		retry = 0
		wait = dueIn(assumedLifetime)
		if !held.Expiry.IsZero() {
			wait = dueIn(time.Until(held.Expiry))
		}
		log.Printf("%s: refreshed, next in %v", c.Name, wait.Round(time.Second))
	}
}

// refresh asks for a new token, stores it, then publishes it, in that order: a published token
// whose refresh token is lost could not be renewed.
func (c credential) refresh(held *oauth2.Token) (*oauth2.Token, error) {
	client := &http.Client{Timeout: requestTimeout}
	ctx := context.WithValue(context.Background(), oauth2.HTTPClient, client)
	fresh, err := c.source(ctx, held).Token()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(fresh)
	if err != nil {
		return fresh, err
	}
	if err := replaceFile(c.statePath, text, 0o600); err != nil {
		return fresh, err
	}
	return fresh, replaceFile(c.tokenPath, []byte(fresh.AccessToken), 0o640)
}

// source is one of the library's own, holding no access token: its next Token() is a refresh.
func (c credential) source(ctx context.Context, held *oauth2.Token) oauth2.TokenSource {
	if c.RefreshToken == "" {
		grant := clientcredentials.Config{
			ClientID: c.ClientID, ClientSecret: c.ClientSecret, TokenURL: c.TokenURL,
			Scopes: c.Scopes, AuthStyle: oauth2.AuthStyleInHeader,
		}
		return grant.TokenSource(ctx)
	}
	grant := oauth2.Config{
		ClientID: c.ClientID, ClientSecret: c.ClientSecret,
		Endpoint: oauth2.Endpoint{TokenURL: c.TokenURL, AuthStyle: oauth2.AuthStyleInHeader},
	}
	return grant.TokenSource(ctx, &oauth2.Token{RefreshToken: held.RefreshToken})
}

// load returns what the last run stored; without that, the configured refresh token alone.
func (c credential) load() (*oauth2.Token, error) {
	held := &oauth2.Token{RefreshToken: c.RefreshToken}
	text, err := os.ReadFile(c.statePath)
	if errors.Is(err, fs.ErrNotExist) {
		return held, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, held); err != nil {
		return nil, fmt.Errorf("%s: %w", c.statePath, err)
	}
	return held, nil
}

func dueIn(lifetime time.Duration) time.Duration {
	return time.Duration(float64(lifetime) * refreshAt)
}

func nextRetry(last time.Duration) time.Duration {
	switch {
	case last == 0:
		return firstRetry
	case 2*last > lastRetry:
		return lastRetry
	}
	return 2 * last
}

// sleep reports whether the time passed, as opposed to the program being told to stop.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}

// replaceFile makes readers see the old content or the new, and a power cut leave one of the two:
// the file is on disk before it gets its name, and so is the directory before this returns.
func replaceFile(path string, content []byte, mode os.FileMode) error {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // Fails once the file has its final name: then nothing is left.
	_, err = file.Write(content)
	if err == nil {
		err = file.Chmod(mode)
	}
	if err == nil {
		err = file.Sync()
	}
	if closed := file.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		return err
	}
	directory, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer directory.Close()
	return directory.Sync()
}
