/* What every cmocka test file begins with. */
#ifndef KITH_TEST_TEST_H
#define KITH_TEST_TEST_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
