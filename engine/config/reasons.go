package config

import (
	"errors"
	"strings"

	"hexad/engine"
)

// Why a line of an import was not applied.
var (
	reasonMachine = engine.Text{
		EN: "belongs to the machine that it was taken from; --machine applies it here",
		JA: "取得元の機器に固有の項目です。--machine を付けると適用します",
	}
	reasonSealed = engine.Text{
		EN: "the secret is sealed with the key of the machine that it was taken from; set it again here",
		JA: "取得元の機器の鍵で暗号化されています。ここで設定し直してください",
	}
	reasonLater = engine.Text{
		EN: "a later line sets the same item",
		JA: "同じ項目を後の行が設定しています",
	}
	reasonEmptyList = engine.Text{
		EN: "it would empty the peer list, which arms a factory reset; clear the list on the clustering page if that is wanted",
		JA: "ピアリストが空になり、工場出荷時リセットが予約されます。必要ならクラスタリング画面で消してください",
	}
	reasonUnknown = engine.Text{
		EN: "there is no such item",
		JA: "この項目はありません",
	}
)

func reasonNear(near string) engine.Text {
	return engine.Text{
		EN: "there is no such item; near it: " + near,
		JA: "この項目はありません。近いもの: " + near,
	}
}

// reasonRefused is the message of an error: what an administrator may see.
func reasonRefused(err error) engine.Text {
	message := "it cannot be saved"
	var e *engine.Error
	if errors.As(err, &e) {
		message = e.Error()
	}
	return engine.Text{EN: message, JA: "適用できません: " + message}
}

// guard masks a value whose item is not known but may well be a secret.
func guard(path, value string) string {
	key := fold(path)
	for _, word := range []string{"password", "secret", "token", "key", "credential"} {
		if value != "" && strings.Contains(key, word) {
			return masked
		}
	}
	return value
}
