locals {
  stand_in = var.endpoint != ""
}

# With an endpoint the provider talks to a stand-in on this machine and to nothing else: test keys,
# no look-ups of accounts or instance metadata. Without one it is plain AWS and its own credentials.
provider "aws" {
  region                      = var.region
  access_key                  = local.stand_in ? "test" : null
  secret_key                  = local.stand_in ? "test" : null
  s3_use_path_style           = local.stand_in
  skip_credentials_validation = local.stand_in
  skip_metadata_api_check     = local.stand_in
  skip_region_validation      = local.stand_in
  skip_requesting_account_id  = local.stand_in

  dynamic "endpoints" {
    for_each = local.stand_in ? [var.endpoint] : []

    content {
      iam = endpoints.value
      s3  = endpoints.value
      sqs = endpoints.value
      sts = endpoints.value
    }
  }

  default_tags {
    tags = { project = "convexfx" }
  }
}
