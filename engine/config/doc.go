// Package config is the configuration: the registry of its items, their lines
// in the xConfiguration form, and the service that reads and changes them.
//
// The registry is data: items/*.tsv lists the items by area, tables/*.tsv holds
// the areas, the words that help texts are made of, old spellings, and what an
// import meets that hexad does not have.
package config
