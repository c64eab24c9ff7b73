module tripod

go 1.26
