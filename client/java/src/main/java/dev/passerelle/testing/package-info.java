/** For tests of programs that use the client: a real server, for as long as a test runs. */
package dev.passerelle.testing;
