//! DTLS 1.2 and 1.3 as a sans-I/O protocol: datagrams and time in, datagrams and events out.
