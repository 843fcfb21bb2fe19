module hexad.test/campaign

go 1.26.0

replace hexad => ../..
