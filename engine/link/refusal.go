package link

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"hexad/engine"
)

// Refusal tells a program why a contact came to nothing.
type Refusal string

// The refusals. The first group is what a member is told by the other side's
// hello, the second is seen by one side only.
const (
	OtherCluster    Refusal = "other_cluster"
	OtherGeneration Refusal = "other_generation" // the fence
	WrongSecret     Refusal = "wrong_secret"
	Removed         Refusal = "removed"
	NodeMismatch    Refusal = "node_mismatch"
	OtherVersion    Refusal = "other_version" // of the hello, not the release

	DNSFailed      Refusal = "dns_failed"
	NoResponse     Refusal = "no_response"
	NotPinned      Refusal = "not_pinned"      // first contact has not happened
	KeyChanged     Refusal = "key_changed"     // a pinned address shows another key
	NotListed      Refusal = "not_listed"      // an unknown key from an address that is in no list
	BadCertificate Refusal = "bad_certificate" // none, expired, revoked, weak; in Enforcing chain and name too
	BadTLS         Refusal = "bad_tls"         // version, protocol or handshake
	RefusedThere   Refusal = "refused_there"   // the other side ended the TLS session
	Malformed      Refusal = "malformed"
	JoinRefused    Refusal = "join_refused"
	NotReady       Refusal = "not_ready" // authenticated, but nobody accepts here now
	TooMany        Refusal = "too_many"
)

// Refusals lists every Refusal.
var Refusals = []Refusal{OtherCluster, OtherGeneration, WrongSecret, Removed, NodeMismatch, OtherVersion, DNSFailed, NoResponse,
	NotPinned, KeyChanged, NotListed, BadCertificate, BadTLS, RefusedThere, Malformed, JoinRefused, NotReady, TooMany}

var refusalTexts = map[Refusal]engine.Text{
	OtherCluster:    {EN: "The peer belongs to another cluster", JA: "ピアは別のクラスタに属しています"},
	OtherGeneration: {EN: "The peer's database is of another generation", JA: "ピアのデータベースの世代が異なります"},
	WrongSecret:     {EN: "The peer does not hold the secret of this cluster", JA: "ピアはこのクラスタのシークレットを保持していません"},
	Removed:         {EN: "The peer was removed from the cluster", JA: "ピアはクラスタから削除されました"},
	NodeMismatch:    {EN: "The peer's key belongs to another node", JA: "ピアの鍵は別のノードのものです"},
	OtherVersion:    {EN: "The peer speaks another version of the peer link", JA: "ピアのピアリンクのバージョンが異なります"},
	DNSFailed:       {EN: "DNS resolution failed", JA: "DNS解決に失敗しました"},
	NoResponse:      {EN: "No response", JA: "応答がありません"},
	NotPinned:       {EN: "The peer has not joined yet", JA: "ピアはまだ参加していません"},
	KeyChanged:      {EN: "The peer's key has changed and was not accepted", JA: "ピアの鍵が変更されましたが、承認されていません"},
	NotListed:       {EN: "An unknown system that is not in the peer list", JA: "ピアリストにない不明なシステムです"},
	BadCertificate:  {EN: "The peer's certificate is not valid", JA: "ピアの証明書が無効です"},
	BadTLS:          {EN: "TLS negotiation failed", JA: "TLSネゴシエーションに失敗しました"},
	RefusedThere:    {EN: "The peer refused this system's certificate", JA: "ピアがこのシステムの証明書を拒否しました"},
	Malformed:       {EN: "The peer's message was malformed", JA: "ピアのメッセージの形式が正しくありません"},
	JoinRefused:     {EN: "The peer refused to be joined", JA: "ピアが参加を拒否しました"},
	NotReady:        {EN: "The peer is not ready yet", JA: "ピアの準備ができていません"},
	TooMany:         {EN: "Too many connections", JA: "接続が多すぎます"},
}

// Text is the cause for people: what the clustering page shows beside Failed.
func (r Refusal) Text() engine.Text { return refusalTexts[r] }

var refusalCodes = map[Refusal]engine.Code{
	OtherCluster: engine.Denied, OtherGeneration: engine.Conflict, WrongSecret: engine.Denied, Removed: engine.Denied,
	NodeMismatch: engine.Denied, OtherVersion: engine.Unavailable, NotPinned: engine.Denied, KeyChanged: engine.Denied,
	NotListed: engine.Denied, BadCertificate: engine.Denied, RefusedThere: engine.Denied, Malformed: engine.Invalid,
	JoinRefused: engine.Denied, TooMany: engine.Exhausted,
}

// refused is the error of a contact that came to nothing.
type refused struct {
	refusal Refusal
	err     *engine.Error
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

func refusef(r Refusal, format string, args ...any) *refused {
	code, ok := refusalCodes[r]
	if !ok {
		code = engine.Unavailable
	}
	err := fmt.Errorf(format, args...)
	return &refused{r, &engine.Error{Code: code, Message: r.Text().EN + ": " + err.Error(), Err: errors.Unwrap(err)}}
}

// RefusalOf returns why err came to be, "" when err is no refusal.
func RefusalOf(err error) Refusal {
	var r *refused
	if errors.As(err, &r) {
		return r.refusal
	}
	return ""
}

// ioRefusal sorts an error of the network: the caller says what it was doing.
func ioRefusal(doing string, err error) *refused {
	var r *refused
	if errors.As(err, &r) {
		return r
	}
	var alert *net.OpError // crypto/tls wraps an alert of the other side in one
	if errors.As(err, &alert) && alert.Op == "remote error" {
		return refusef(RefusedThere, "%s: %w", doing, err)
	}
	if isTimeout(err) {
		return refusef(NoResponse, "%s: timed out: %w", doing, err)
	}
	return refusef(NoResponse, "%s: %w", doing, err)
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &n) && n.Timeout()
}
