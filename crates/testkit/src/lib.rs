//! Network simulator, scripted peer, null cryptography and test certificates.
