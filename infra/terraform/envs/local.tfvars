# Shape for a stand-in on this machine; give its address with -var endpoint=http://127.0.0.1:PORT.
region           = "us-east-1"
object_lock_days = 0
force_destroy    = true
